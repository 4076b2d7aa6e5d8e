"""The same networks in a plain PyTorch loop."""

import torch
from work import (
    BATCH,
    LAYERS,
    LOOKBACK,
    UNITS,
    Clock,
    cut,
    load_closes,
    n_train,
    parse,
    report,
    scale,
    store,
    validation_part,
)

options = parse()
if options.threads:
    torch.set_num_threads(options.threads)


class Network(torch.nn.Module):
    def __init__(self, cell: str) -> None:
        super().__init__()
        layer = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}[cell]
        self.recurrent = layer(1, UNITS, LAYERS, dropout=0.2, batch_first=True)
        self.head = torch.nn.Linear(UNITS, 1)

    def forward(self, x):
        return self.head(self.recurrent(x)[0][:, -1])


_, closes = load_closes(options.csv)
scaled, low, high = scale(closes)
if options.predict:
    network = Network("lstm")
    network.load_state_dict(torch.load(options.out / "lstm.pt", weights_only=True))
    with torch.no_grad():
        print(network.eval()(torch.from_numpy(scaled[None, -LOOKBACK:])) * (high - low) + low)
    raise SystemExit
x, y = map(torch.from_numpy, cut(scaled))
n, validation = n_train(scaled), validation_part(scaled)
epochs = {}
for cell in options.cells:
    if options.validate:
        torch.manual_seed(options.seed)
    network = Network(cell)
    adam = torch.optim.Adam(network.parameters())
    clock, losses, validated = Clock(), [], []
    for _ in range(options.epochs):
        order, total = torch.randperm(n), 0.0
        for start in range(0, n, BATCH):
            rows = order[start : start + BATCH]
            adam.zero_grad()
            loss = torch.nn.functional.mse_loss(network(x[rows]), y[rows])
            loss.backward()
            adam.step()
            total += loss.item() * len(rows)
        losses.append(total / n)
        if options.validate:
            network.eval()
            with torch.no_grad():
                validated.append(torch.nn.functional.mse_loss(network(x[validation]), y[validation]).item())
            network.train()
        clock.tick()
    epochs[cell] = clock.validated(validated)
    with torch.no_grad():
        store(options.out, cell, y[n:, 0].numpy(), network.eval()(x[n:])[:, 0].numpy(), losses)
    torch.save(network.state_dict(), options.out / f"{cell}.pt")
report(epochs)
