"""The cell equations, the Keras networks, their training, and the distribution they predict."""
