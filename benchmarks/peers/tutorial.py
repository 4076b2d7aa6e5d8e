"""The tutorial that everybody knows, in stock Keras on TensorFlow."""

from work import BATCH, LOOKBACK, UNITS, Clock, cut, load_closes, n_train, parse, report, scale, store, validation_part

options = parse()

import os  # noqa: E402

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if options.threads:
    os.environ.update(TF_NUM_INTRAOP_THREADS=str(options.threads), TF_NUM_INTEROP_THREADS=str(options.threads))

import keras  # noqa: E402

_, closes = load_closes(options.csv)
scaled, low, high = scale(closes)
if options.predict:
    network = keras.models.load_model(options.out / "lstm.keras")
    print(network.predict(scaled[None, -LOOKBACK:], verbose=0) * (high - low) + low)
    raise SystemExit
x, y = cut(scaled)
n, part = n_train(scaled), validation_part(scaled)
validation = {"validation_data": (x[part], y[part]), "validation_batch_size": 512} if options.validate else {}
epochs = {}
for cell in options.cells:
    if options.validate:
        keras.utils.set_random_seed(options.seed)
    layer = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM}[cell]
    network = keras.Sequential(
        [keras.Input((LOOKBACK, 1)), layer(UNITS, return_sequences=True), keras.layers.Dropout(0.2),
         layer(UNITS), keras.layers.Dropout(0.2), keras.layers.Dense(1)]
    )  # fmt: skip
    network.compile("adam", "mse")
    clock = Clock()
    tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: clock.tick())
    history = network.fit(x[:n], y[:n], batch_size=BATCH, epochs=options.epochs, callbacks=[tick], verbose=0, **validation)
    epochs[cell] = clock.validated(history.history.get("val_loss", []))
    store(options.out, cell, y[n:, 0], network.predict(x[n:], verbose=0)[:, 0], history.history["loss"])
    network.save(options.out / f"{cell}.keras")
report(epochs)
