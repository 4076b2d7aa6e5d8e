"""How good a forecast is: baselines, metrics, significance."""
