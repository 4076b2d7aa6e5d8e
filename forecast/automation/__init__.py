"""What runs unattended: executors, retraining, schedules."""
