#!/usr/bin/env python3
"""Makes Tests/Golden/reports: an event file as TensorBoard's own code writes it. Needs tensorboard."""
import io
import math
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter

FOLDER = Path(__file__).resolve().parents[2] / "Tests/Golden/reports"
TIME = 1_700_000_000.25


def scalars(step, time, **values):
    event = Event(wall_time=time, step=step)
    for tag, value in values.items():
        event.summary.value.add(tag=tag.replace("_", "/"), simple_value=value)
    return event


events = [
    Event(wall_time=TIME, file_version="brain.Event:2"),
    Event(wall_time=TIME, step=300, session_log=SessionLog(status=SessionLog.START)),
    scalars(300, TIME + 1, train_loss=2.31, train_accuracy=0.0),
    scalars(100_000, TIME + 2, train_loss=math.inf),
    scalars(100_001, TIME + 3, **{"eval_" + "é" * 100: -1e-9}),
]
buffer = io.BytesIO()
writer = RecordWriter(buffer)
for event in events:
    writer.write(event.SerializeToString())
FOLDER.mkdir(parents=True, exist_ok=True)
(FOLDER / "events").write_bytes(buffer.getvalue())
