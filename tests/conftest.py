"""Shared fixtures: a fresh in-memory database and a tiny source to write into it."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from db.connection import connect
from db.ingest_rows import CheckedFilm, CheckedMask
from db.records import SourceFilm, SourceMask

LOCAL = ("127.0.0.1", "::1", "localhost", "", None)


def refuse_other_machines(event, arguments):
    """Let no test, whatever it calls, look up or reach another machine; tests/test_no_network.py forbids sockets altogether."""
    host = {"socket.connect": lambda: arguments[1], "socket.getaddrinfo": lambda: arguments[:1]}.get(
        event, lambda: ()
    )()
    if isinstance(host, tuple) and host and host[0] not in LOCAL:
        raise PermissionError(f"{event} {host}: no network")


sys.addaudithook(refuse_other_machines)


@pytest.fixture
def fresh_db():
    connection = connect(":memory:")
    yield connection
    connection.close()


@pytest.fixture
def make_film():
    """Return a function that builds a checked film, 17 rows by 13 columns, with a lungs mask unless told otherwise."""

    def build(file="a.png", patient="p1", content=None, convention="clear_field", provenance="manual", **facts):
        facts = {"modality": "CR", "view_position": "PA", **facts}
        masks = ()
        if convention is not None:
            mask = SourceMask(structure="lungs", convention=convention, provenance=provenance, file=f"masks/{file}")
            masks = (CheckedMask(mask=mask, values_seen="0 255", area_share=0.25),)
        return CheckedFilm(
            film=SourceFilm(file=file, patient_id=patient, **facts),
            rows=17,
            columns=13,
            bits_stored=8,
            content_sha256=content or f"hash of {file}",
            masks=masks,
        )

    return build


@pytest.fixture(scope="session")
def dicom_file():
    """Return a function that writes a film of 16 bits as DICOM with the given attributes and returns its path."""

    def write(path, values, **facts):
        import pydicom
        from pydicom.uid import ExplicitVRLittleEndian

        film = pydicom.Dataset()
        film.file_meta = pydicom.dataset.FileMetaDataset()
        film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = "1.2.3"
        film.Rows, film.Columns = values.shape
        film.BitsAllocated = film.BitsStored = 16
        film.HighBit, film.PixelRepresentation, film.SamplesPerPixel = 15, 0, 1
        film.PhotometricInterpretation = "MONOCHROME2"
        film.Modality = "DX"
        for name, value in facts.items():
            setattr(film, name, value)
        film.PixelData = values.astype("<u2").tobytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        film.save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture(scope="session")
def on_two_machines():
    """A function that runs a command on two machines, one process each, and returns what they printed.

    They are two torchruns on this one that meet each other. NCCL tells machines apart by NCCL_HOSTID, and so lets both have the
    same GPU, which it refuses to two processes of one machine.
    """
    root = Path(__file__).parent.parent

    def start(rank, port, command):
        meeting = ["--nnodes", "2", "--node-rank", str(rank), "--master-addr", "127.0.0.1", "--master-port", str(port)]
        torchrun = [sys.executable, "-m", "torch.distributed.run", *meeting, "--nproc-per-node", "1"]
        own = {"NCCL_HOSTID": f"machine{rank}", "NCCL_SOCKET_IFNAME": "lo", "GLOO_SOCKET_IFNAME": "lo"}
        return subprocess.Popen(
            [*torchrun, *map(str, command)],
            cwd=root,
            env={**os.environ, "OMP_NUM_THREADS": "1", **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(*command):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        machines = [start(rank, port, command) for rank in (0, 1)]
        try:
            printed = [machine.communicate(timeout=300) for machine in machines]
        finally:
            for machine in machines:
                machine.kill()
        assert [machine.returncode for machine in machines] == [0, 0], printed[0][1] + printed[1][1]
        return [out for out, _ in printed]

    return run


@pytest.fixture(scope="session")
def copy_of():
    """A function that copies a database through SQLite: to open the file itself would drop the locks that others hold."""

    def copy(source, target):
        with closing(connect(source)) as original, closing(connect(target)) as other:
            original.backup(other)
        return target

    return copy


@pytest.fixture(scope="session")
def phantom_db(tmp_path_factory):
    """A database of 40 small embedded films, made once for all tests that train."""
    from data import ingest
    from data.sources import phantom

    patch = pytest.MonkeyPatch()
    patch.setattr(phantom, "SIZE", 96)
    patch.setattr(phantom.os, "cpu_count", lambda: 1)  # other processes would not see the smaller size
    db = tmp_path_factory.mktemp("films") / "phantom.sqlite"
    ingest.main(["phantom", "--count", "40", "--seed", "1", "--db", str(db)])
    patch.undo()
    return db


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """The path of a best.pt with random weights, for films in squares of 32 pixels: what reads checkpoints needs no training."""
    import torch

    from unet.checkpoint import Checkpoint, save_checkpoint
    from unet.model import UNet, UNetConfig

    torch.manual_seed(0)
    config, structures = UNetConfig(base=4, depth=2), ["right_lung", "left_lung", "heart"]
    path = tmp_path_factory.mktemp("network") / "best.pt"
    with open(path, "wb") as file:
        save_checkpoint(file, Checkpoint(config, UNet(config).state_dict(), {"size": 32}, {}, structures))
    return path
