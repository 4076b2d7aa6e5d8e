"""From prices to arrays: features, sessions cut into train, validation and test, scaler, windows."""
