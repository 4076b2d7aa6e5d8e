"""Forecast stock prices with Keras SimpleRNN and LSTM networks, and tell the truth about how good that is."""
