# SPDX-License-Identifier: BSD-3-Clause
"""What a real i-PI writes is what the model says, however it asks; and deaths on either side."""

import os
import threading

import numpy as np
import pytest
from alchemical import alchemical_model, contracted_alchemical_model
from coarse import coarse_frames, write_named
from gap_models import PAIR, SOAP, TRIPLET, train
from ipi_runs import Run, assert_close, client_threads, find_program
from models import (
    contracted_model,
    kernel_model,
    product_model,
    selected_by_species,
    selected_model,
    symmetry_model,
)
from patience import HANG
from training_data import small_settings

from ipi_driver.client import Client, connect_unix
from ipi_driver.evaluation import Evaluator
from ipi_driver.protocol import ConnectionClosedError
from potential import fit
from potential.errors import SoapGprError
from potential.gap.importing import import_gap

pytestmark = pytest.mark.skipif(find_program("i-pi") is None, reason="i-PI is not installed")


@pytest.fixture
def unwrapped(water):
    """Atoms of one molecule in different, far cells."""
    water.positions += np.array([[0, 0, 0], [4, -3, 1], [-12, 0, 7]]) @ water.cell.array
    return water


@pytest.mark.parametrize("mode", ["unix", "inet"])
@pytest.mark.parametrize(("beads", "n_clients"), [(1, 1), (4, 1), (4, 2)])
def test_run_agrees_with_model(tmp_path, model, unwrapped, mode, beads, n_clients):
    evaluators = [Evaluator(model, unwrapped) for _ in range(n_clients)]
    with Run(tmp_path, unwrapped, beads=beads, mode=mode) as run:
        with client_threads(run, evaluators) as clients:
            run.wait()
        assert sum(client.evaluations for client in clients) == beads * (run.steps + 1)
        run.assert_agrees(model)


def test_contracted_model_runs(tmp_path, water):
    model = contracted_model()
    with Run(tmp_path, water, beads=2) as run:
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        run.assert_agrees(model)


def test_imported_potential_runs(tmp_path, water):
    model, _ = import_gap(train(tmp_path, f"{SOAP} : {PAIR} : {TRIPLET}", species=(1, 8)))
    with Run(tmp_path, water, beads=2) as run:
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        run.assert_agrees(model)


def test_coupled_centers_run(tmp_path, water):
    model = alchemical_model(centers="alchemical", species=(1, 8))
    with Run(tmp_path, water, beads=2) as run:
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        run.assert_agrees(model)


def test_contracted_alchemical_channels_run(tmp_path, water):
    model, _ = contracted_alchemical_model(2, species=(1, 8))
    with Run(tmp_path, water, beads=2) as run:
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        run.assert_agrees(model)


@pytest.mark.parametrize("per_species", [False, True])
def test_recoupled_features_run(tmp_path, water, per_species):
    model = selected_model(recouple=True, zeta=3)
    if per_species:
        model = selected_by_species(kernel_model(), recouple=True)
    with Run(tmp_path, water, beads=2) as run:
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        run.assert_agrees(model)


@pytest.mark.parametrize("representation", ["radial_spectrum", "bispectrum", "acsf"])
def test_representations_run(tmp_path, water, representation):
    acsf = representation == "acsf"
    model = symmetry_model() if acsf else kernel_model(representation=representation)
    with Run(tmp_path, water, beads=2) as run:
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        run.assert_agrees(model)


def test_products_of_kernels_run(tmp_path, water):
    model = product_model()
    with Run(tmp_path, water, beads=2) as run:
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        run.assert_agrees(model)


def test_coarse_grained_beads_run(tmp_path):
    """Species with names of their own, of which i-PI itself keeps four letters; it is told their
    masses."""
    frames = coarse_frames(3, ("MW", "MW", "PO") * 9)
    for atoms in frames:
        atoms.arrays["bead"] = np.array(["MW", "MW", "octyl"] * 9)
    settings = small_settings("unused", n_sparse=10)
    settings["data"] |= {"beads": ["MW", "octyl"]}
    model = fit(settings, train=frames[:2], progress=False).model
    frame = frames[2]
    frame.set_masses([18.0, 18.0, 113.0] * 9)
    template = write_named(tmp_path / "template.xyz", [frame])
    with Run(tmp_path, frame, beads=2) as run:
        with client_threads(run, [Evaluator(model, template)]):
            run.wait()
        run.assert_agrees(model)


@pytest.mark.parametrize(
    "options",
    [
        "<consolidate_messages>False</consolidate_messages>",
        "<batch_size>4</batch_size>",
        "<batch_size>3</batch_size>",
        "<parameters>{key: 1, other: text}</parameters><batch_size>2</batch_size>",
    ],
)
def test_other_ways_to_ask_agree_with_model(tmp_path, model, evaluator, water, options):
    with Run(tmp_path, water, beads=4, options=options) as run:
        with client_threads(run, [evaluator]):
            run.wait()
        run.assert_agrees(model)


def test_failing_client_leaves_the_run_to_the_others(tmp_path, model, water):
    """i-PI 3.3.1 hangs when a connection is reset while it waits for forces."""

    class FailingModel:
        count = 0

        def evaluate(self, *arguments):
            self.count += 1
            if self.count == 3:
                raise SoapGprError("enough")
            return model.evaluate(*arguments)

    failures = []

    def fail(run):
        try:
            Client(run.connect(), Evaluator(FailingModel(), water)).run()
        except SoapGprError as error:
            failures.append(str(error))

    with Run(tmp_path, water, beads=4) as run:
        failing = threading.Thread(target=fail, args=(run,), daemon=True)
        failing.start()
        with client_threads(run, [Evaluator(model, water)]):
            run.wait()
        failing.join(HANG)
        assert failures == ["enough"]
        run.assert_agrees(model)


def test_killed_server_is_reported(tmp_path, model, water):
    class KillingModel:
        count = 0

        def evaluate(self, *arguments):
            self.count += 1
            if self.count == 3:
                run.process.kill()
                run.process.wait()
            return model.evaluate(*arguments)

    with Run(tmp_path, water) as run:
        client = Client(run.connect(), Evaluator(KillingModel(), water))
        with pytest.raises(ConnectionClosedError):
            client.run()
    assert client.evaluations == 3


def test_ase_socket_server_is_served(water, model):
    """Another server of the protocol: STATUS at other places, and no EXIT at the end."""
    from ase.calculators.socketio import SocketIOCalculator

    water.rattle(0.05, seed=3)
    name = f"soap-gpr-test-{os.getpid()}"
    ends = []

    def serve():
        try:
            Client(connect_unix(name, timeout=HANG), Evaluator(model, water)).run()
        except ConnectionClosedError as error:
            ends.append(str(error))

    thread = threading.Thread(target=serve, daemon=True)
    with SocketIOCalculator(unixsocket=name) as water.calc:
        thread.start()
        for _ in range(2):
            expected = model.evaluate(water.numbers, water.positions, water.cell.array, True)
            # ASE converts with newer constants than i-PI: 1e-7.
            assert abs(water.get_potential_energy() / expected.energy - 1) < 1e-6
            assert_close(water.get_forces(), expected.forces, 1e-6)
            virial = -water.get_stress(voigt=False) * water.get_volume()
            assert_close(virial, expected.virial, 1e-6)
            water.positions[0] += 0.01
    thread.join(HANG)
    assert "without saying EXIT" in ends[0]
