"""The same networks in darts: BlockRNNModel."""

import logging
import warnings

import numpy as np
import torch
from darts import TimeSeries
from darts.models import BlockRNNModel
from work import BATCH, LAYERS, LOOKBACK, UNITS, Clock, load_closes, n_train, parse, report, scale, store

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
options = parse()
if options.threads:
    torch.set_num_threads(options.threads)
_, closes = load_closes(options.csv)
scaled, low, high = scale(closes)
series = TimeSeries.from_values(scaled)
if options.predict:
    print(BlockRNNModel.load(str(options.out / "lstm.pt")).predict(1, series, verbose=False).values())
    raise SystemExit
trained = n_train(scaled) + LOOKBACK
epochs = {}
for cell in options.cells:
    model = BlockRNNModel(
        LOOKBACK, 1, model={"rnn": "RNN", "lstm": "LSTM"}[cell], hidden_dim=UNITS, n_rnn_layers=LAYERS, dropout=0.2,
        batch_size=BATCH, n_epochs=options.epochs, work_dir=str(options.out),
        pl_trainer_kwargs={"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "logger": False},
    )  # fmt: skip
    clock = Clock()
    model.fit(series[:trained], verbose=False)
    clock.tick()
    epochs[cell] = {kind: [seconds[0] / options.epochs] for kind, seconds in clock.seconds().items()}
    tested = model.historical_forecasts(series, start=trained, retrain=False, verbose=False).values()[:, 0]
    store(options.out, cell, np.asarray(scaled[-len(tested) :, 0]), tested, [])
    model.save(str(options.out / f"{cell}.pt"))
report(epochs)
