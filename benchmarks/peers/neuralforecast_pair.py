"""The same networks in neuralforecast, which counts steps of 32 windows where others count epochs."""

import logging
import warnings

import pandas as pd
import torch
from neuralforecast import NeuralForecast
from neuralforecast.models import LSTM, RNN
from work import BATCH, LAYERS, LOOKBACK, UNITS, Clock, load_closes, n_train, parse, report, scale, store

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
options = parse()
if options.threads:
    torch.set_num_threads(options.threads)
dates, closes = load_closes(options.csv)
scaled, low, high = scale(closes)
table = pd.DataFrame({"unique_id": "TSLA", "ds": range(len(dates)), "y": scaled[:, 0]})
if options.predict:
    print(NeuralForecast.load(str(options.out / "lstm")).predict(table))
    raise SystemExit
n_test = len(table) - n_train(scaled) - LOOKBACK
steps = -(-n_train(scaled) // BATCH)
epochs = {}
for cell in options.cells:
    model = {"rnn": RNN, "lstm": LSTM}[cell](
        h=1, input_size=LOOKBACK, encoder_n_layers=LAYERS, encoder_hidden_size=UNITS, encoder_dropout=0.2,
        windows_batch_size=BATCH, max_steps=steps * options.epochs, learning_rate=1e-3, scaler_type="identity",
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    forecaster = NeuralForecast([model], freq=1)
    clock = Clock()
    forecaster.fit(table.iloc[:-n_test])
    clock.tick()
    epochs[cell] = {kind: [seconds[0] / options.epochs] for kind, seconds in clock.seconds().items()}
    tested = forecaster.predict(table)  # the next close alone: its backtest over the test sessions would train again
    store(options.out, cell, scaled[-1:, 0], tested.iloc[:, -1].to_numpy(), [])
    forecaster.save(str(options.out / cell), overwrite=True)
report(epochs)
