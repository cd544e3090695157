"""Lets solvers that know nothing of Gantry place the same pods in the same run, and prints one table.

Every referee gets the instance that Gantry's own program wrote, and a time limit. What it returns is judged here:
sigma of eq. (11) from the integers of the instance, and whether every pod is where it may be and no node is over-full.
Nothing that a solver says of its own solution is printed but what it proved.

    python referees.py PROGRAM [--instances PODSxNODES:SEED[:pools] ...] [--seconds S] [--only NAME ...]

PROGRAM is Gantry's example `placement`. `make referees` builds it, installs requirements.txt and calls this.
"""

import argparse
import json
import math
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np

INSTANCES = ["20x5:1", "50x10:101:pools", "100x10:101", "100x10:101:pools", "500x50:101:pools"]
GANTRY_SECONDS = [0.1, 1.0]
POPULATION = 100
OVERFLOW_PENALTY = 100.0

# Pods times nodes. For the convex relaxation of 500 pods and 50 nodes HiGHS takes half a minute, Clarabel a second.
LARGEST_RELAXATION = 5_000


@dataclass
class Instance:
    """Pods, nodes, where each pod may run, and the percentage points that pod i adds to node j."""

    capacities: np.ndarray
    requests: np.ndarray
    allowed: list[list[int]]
    points: np.ndarray

    @classmethod
    def read(cls, file: Path) -> "Instance":
        document = json.loads(file.read_text())
        capacities, requests = np.array(document["cap"]), np.array(document["req"])
        points = 100.0 * (requests[:, None, :] / capacities[None, :, :]).mean(axis=2)
        return cls(capacities, requests, document["allowed"], points)

    @property
    def pods(self) -> int:
        return len(self.requests)

    @property
    def nodes(self) -> int:
        return len(self.capacities)

    def sigma(self, assignment: np.ndarray) -> float:
        pods = np.arange(self.pods)
        return float(np.bincount(assignment, self.points[pods, assignment], self.nodes).std())

    def used(self, assignment: np.ndarray) -> np.ndarray:
        used = np.zeros_like(self.capacities)
        np.add.at(used, assignment, self.requests)
        return used

    def overflow(self, assignment: np.ndarray) -> float:
        """By how much nodes are over-full, in whole nodes."""
        over = np.maximum(self.used(assignment) - self.capacities, 0)
        return float((over / self.capacities).sum())

    def is_legal(self, assignment: np.ndarray) -> bool:
        return self.overflow(assignment) == 0 and all(node in self.allowed[pod] for pod, node in enumerate(assignment))


@dataclass
class Answer:
    """An assignment, or none; and the limit of sigma that was proven on the way, if any."""

    assignment: np.ndarray | None
    limit: float | None = None
    proven: bool = False


@dataclass
class Row:
    """One line of the table."""

    solver: str
    version: str
    seconds: float
    sigma: float | None
    remark: str = ""


# --- OR-Tools CP-SAT -------------------------------------------------------------------------------------------------


def cp_sat(instance: Instance, seconds: float, seed: int, squares: bool) -> Answer:
    """Least sum of squares around a free centre, or least deviation of the most deviating node.

    Loads are integers of a thousandth of a percentage point. A proof is one for the loads so rounded.
    """
    from ortools.sat.python import cp_model

    scale = 1_000
    model = cp_model.CpModel()
    chosen = [{node: model.new_bool_var("") for node in nodes} for nodes in instance.allowed]
    for choices in chosen:
        model.add_exactly_one(choices.values())
    centre = model.new_int_var(0, 100 * scale, "")
    deviations = []
    for node in range(instance.nodes):
        pods = [pod for pod, choices in enumerate(chosen) if node in choices]
        here = [chosen[pod][node] for pod in pods]
        for resource, capacity in enumerate(instance.capacities[node]):
            used = cp_model.LinearExpr.weighted_sum(here, instance.requests[pods, resource].tolist())
            model.add(used <= int(capacity))
        points = np.rint(scale * instance.points[pods, node]).astype(int).tolist()
        deviation = model.new_int_var(-100 * scale, 100 * scale, "")
        model.add(deviation == cp_model.LinearExpr.weighted_sum(here, points) - centre)
        deviations.append(deviation)
    if squares:
        terms = [model.new_int_var(0, (100 * scale) ** 2, "") for _ in deviations]
        for term, deviation in zip(terms, deviations):
            model.add_multiplication_equality(term, [deviation, deviation])
        model.minimize(sum(terms))
    else:
        most = model.new_int_var(0, 100 * scale, "")
        for deviation in deviations:
            model.add_abs_equality(distance := model.new_int_var(0, 100 * scale, ""), deviation)
            model.add(distance <= most)
        model.minimize(most)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = os.cpu_count() or 1
    solver.parameters.random_seed = seed
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Answer(None)
    found = [next(node for node, choice in choices.items() if solver.value(choice)) for choices in chosen]
    bound = max(solver.best_objective_bound, 0.0)
    limit = math.sqrt(bound / instance.nodes) / scale if squares else bound / scale / math.sqrt(instance.nodes - 1)
    return Answer(np.array(found), limit, squares and status == cp_model.OPTIMAL)


# --- HiGHS -----------------------------------------------------------------------------------------------------------


class Programme:
    """A linear programme that grows by rows.

    Columns: one a pod and node where it may run, the part of the pod that runs there; then each node's deviation from
    the centre; then the centre.
    """

    def __init__(self, instance: Instance) -> None:
        self.pairs = [(pod, node) for pod, nodes in enumerate(instance.allowed) for node in nodes]
        self.by_pod: list[list[int]] = [[] for _ in range(instance.pods)]
        self.by_node: list[list[int]] = [[] for _ in range(instance.nodes)]
        for column, (pod, node) in enumerate(self.pairs):
            self.by_pod[pod].append(column)
            self.by_node[node].append(column)
        self.deviations = range(len(self.pairs), len(self.pairs) + instance.nodes)
        self.centre = self.deviations.stop
        self.lower = [0.0] * len(self.pairs) + [-100.0] * instance.nodes + [0.0]
        self.upper = [1.0] * len(self.pairs) + [100.0] * instance.nodes + [100.0]
        self.starts, self.columns, self.values = [0], [], []
        self.row_lower, self.row_upper = [], []
        self.add_pods(instance)

    def add_pods(self, instance: Instance) -> None:
        """Every pod is somewhere, no node is over-full, deviations are what they are."""
        for columns in self.by_pod:
            self.add(columns, [1.0] * len(columns), 1.0, 1.0)
        for node, columns in enumerate(self.by_node):
            pods = [self.pairs[column][0] for column in columns]
            for resource, capacity in enumerate(instance.capacities[node]):
                self.add(columns, (instance.requests[pods, resource] / capacity).tolist(), -math.inf, 1.0)
            points = instance.points[pods, node].tolist()
            self.add(columns + [self.deviations[node], self.centre], points + [-1.0, -1.0], 0.0, 0.0)

    def add(self, columns: list[int], values: list[float], lower: float, upper: float) -> None:
        self.columns += columns
        self.values += values
        self.starts.append(len(self.columns))
        self.row_lower.append(lower)
        self.row_upper.append(upper)

    def model(self, cost: list[float]):
        import highspy

        model = highspy.HighsModel()
        linear = model.lp_
        linear.num_col_, linear.num_row_ = len(self.lower), len(self.row_lower)
        linear.col_cost_, linear.col_lower_, linear.col_upper_ = map(np.array, (cost, self.lower, self.upper))
        linear.row_lower_, linear.row_upper_ = np.array(self.row_lower), np.array(self.row_upper)
        linear.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        linear.a_matrix_.start_, linear.a_matrix_.index_ = np.array(self.starts), np.array(self.columns)
        linear.a_matrix_.value_ = np.array(self.values)
        return model


def run_highs(model, seconds: float, seed: int):
    import highspy

    solver = highspy.Highs()
    for option, value in [("output_flag", False), ("time_limit", seconds), ("random_seed", seed), ("threads", 1)]:
        solver.setOptionValue(option, value)
    solver.passModel(model)
    solver.run()
    return solver


def highs_relaxation(instance: Instance, seconds: float, seed: int) -> Answer:
    """The least sum of squares with pods that can be divided: no assignment, only a limit."""
    import highspy

    programme = Programme(instance)
    model = programme.model([0.0] * len(programme.lower))
    hessian, before = model.hessian_, len(programme.pairs)
    hessian.dim_, hessian.format_ = len(programme.lower), highspy.HessianFormat.kTriangular
    hessian.start_ = np.array([0] * before + list(range(instance.nodes + 1)) + [instance.nodes])
    hessian.index_ = np.array(programme.deviations)
    hessian.value_ = np.full(instance.nodes, 2.0 / instance.nodes)
    solver = run_highs(model, seconds, seed)
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return Answer(None)
    return Answer(None, math.sqrt(max(solver.getInfo().objective_function_value, 0.0)))


def highs_milp(instance: Instance, seconds: float, seed: int) -> Answer:
    """The least deviation of the most deviating node, in one more column."""
    import highspy

    programme = Programme(instance)
    most = len(programme.lower)
    programme.lower.append(0.0)
    programme.upper.append(100.0)
    for deviation in programme.deviations:
        for sign in (1.0, -1.0):
            programme.add([deviation, most], [sign, -1.0], -math.inf, 0.0)
    model = programme.model([0.0] * most + [1.0])
    whole, free = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
    model.lp_.integrality_ = [whole] * len(programme.pairs) + [free] * (instance.nodes + 2)
    solver = run_highs(model, seconds, seed)
    limit = max(solver.getInfo().mip_dual_bound, 0.0) / math.sqrt(instance.nodes - 1)
    if solver.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return Answer(None, limit)
    parts = solver.getSolution().col_value
    found = [programme.pairs[max(columns, key=parts.__getitem__)][1] for columns in programme.by_pod]
    return Answer(np.array(found), limit)


# --- Genetic algorithms: pymoo and DEAP ------------------------------------------------------------------------------


def repair(instance: Instance, genome: np.ndarray, rng: random.Random) -> np.ndarray:
    """As Gantry's: genes to their nodes, then pods of over-full nodes to the first node with room."""
    for pod, nodes in enumerate(instance.allowed):
        if genome[pod] not in nodes:
            genome[pod] = rng.choice(nodes)
    free = instance.capacities - instance.used(genome)
    first = rng.randrange(instance.pods)
    for pod in (*range(first, instance.pods), *range(first)):
        if (free[genome[pod]] >= 0).all():
            continue
        nodes = instance.allowed[pod]
        start = rng.randrange(len(nodes))
        for node in nodes[start:] + nodes[:start]:
            if (free[node] >= instance.requests[pod]).all():
                free[genome[pod]] += instance.requests[pod]
                free[node] -= instance.requests[pod]
                genome[pod] = node
                break
    return genome


def draw(instance: Instance, rng: random.Random) -> np.ndarray:
    return np.array([rng.choice(nodes) for nodes in instance.allowed])


def mutate(instance: Instance, genome: np.ndarray, rng: random.Random) -> None:
    for pod, nodes in enumerate(instance.allowed):
        if rng.random() < 1.0 / instance.pods:
            genome[pod] = rng.choice(nodes)


def pymoo_ga(instance: Instance, seconds: float, seed: int) -> Answer:
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem
    from pymoo.core.repair import Repair
    from pymoo.operators.crossover.pntx import TwoPointCrossover
    from pymoo.optimize import minimize
    from pymoo.termination.max_time import TimeBasedTermination

    rng = random.Random(seed)

    class Pods(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=instance.pods, n_obj=1, n_ieq_constr=1, xl=0, xu=instance.nodes - 1, vtype=int)

        def _evaluate(self, x, out, *args, **kwargs) -> None:
            out["F"] = np.array([[instance.sigma(genome)] for genome in x])
            out["G"] = np.array([[instance.overflow(genome)] for genome in x])

    class IntoDomains(Repair):
        def _do(self, problem, x, **kwargs):
            return np.array([repair(instance, genome.astype(int), rng) for genome in x])

    class Redraw(Mutation):
        def _do(self, problem, x, **kwargs):
            for genome in x:
                mutate(instance, genome, rng)
            return x

    start = np.array([draw(instance, rng) for _ in range(POPULATION)])
    algorithm = GA(POPULATION, sampling=start, crossover=TwoPointCrossover(), mutation=Redraw(), repair=IntoDomains())
    found = minimize(Pods(), algorithm, TimeBasedTermination(seconds), seed=seed, verbose=False)
    return Answer(None if found.X is None else np.asarray(found.X, dtype=int))


def deap_ga(instance: Instance, seconds: float, seed: int) -> Answer:
    """DEAP's simple algorithm, with a clock in its loop."""
    from deap import algorithms, base, creator, tools

    rng = random.Random(seed)
    random.seed(seed)
    if not hasattr(creator, "Pods"):
        creator.create("Least", base.Fitness, weights=(-1.0,))
        creator.create("Pods", list, fitness=creator.Least)

    def cost(genome: list[int]) -> tuple[float]:
        assignment = np.array(genome)
        return (instance.sigma(assignment) + OVERFLOW_PENALTY * instance.overflow(assignment),)

    def repaired(genome: np.ndarray):
        return creator.Pods(repair(instance, genome, rng).tolist())

    def redraw(genome):
        changed = np.array(genome)
        mutate(instance, changed, rng)
        return (creator.Pods(changed.tolist()),)

    toolbox = base.Toolbox()
    toolbox.register("mate", tools.cxTwoPoint)
    toolbox.register("mutate", redraw)
    toolbox.register("select", tools.selTournament, tournsize=3)
    end = time.monotonic() + seconds
    population = [repaired(draw(instance, rng)) for _ in range(POPULATION)]
    best = tools.HallOfFame(1)
    while True:
        for individual in population:
            individual.fitness.values = cost(individual)
        best.update(population)
        if time.monotonic() >= end:
            return Answer(np.array(best[0]))
        children = algorithms.varAnd(toolbox.select(population, POPULATION), toolbox, cxpb=0.8, mutpb=1.0)
        population = [repaired(np.array(child)) for child in children]


# --- The run ---------------------------------------------------------------------------------------------------------

Referee = Callable[[Instance, float, int], Answer]

# What to import before the clock starts, and what to call.
REFEREES: dict[str, tuple[str, Referee]] = {
    "CP-SAT, squares": ("ortools.sat.python.cp_model", partial(cp_sat, squares=True)),
    "CP-SAT, greatest deviation": ("ortools.sat.python.cp_model", partial(cp_sat, squares=False)),
    "HiGHS, greatest deviation": ("highspy", highs_milp),
    "HiGHS, convex relaxation": ("highspy", highs_relaxation),
    "pymoo GA": ("pymoo.optimize", pymoo_ga),
    "DEAP GA": ("deap.algorithms", deap_ga),
}


def judge_apart(name: str, instance: Instance, seconds: float, seed: int) -> tuple[Row, float]:
    """In a process of its own: two of the packages bring different builds of the same library."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(judge, name, instance, seconds, seed).result()


def judge(name: str, instance: Instance, seconds: float, seed: int) -> tuple[Row, float]:
    """A referee's line, and the limit that it proved (0 without one)."""
    module, referee = REFEREES[name]
    import_module(module)
    package = module.split(".")[0]
    start = time.monotonic()
    answer = referee(instance, seconds, seed)
    took = time.monotonic() - start
    if answer.assignment is None:
        remark = "no answer" if answer.limit is None else f"limit {answer.limit:.5g}"
        return Row(name, version(package), took, None, remark), answer.limit or 0.0
    sigma = instance.sigma(answer.assignment)
    remarks = [] if instance.is_legal(answer.assignment) else ["over-full"]
    if answer.proven:
        remarks.append("proven optimum")
    elif answer.limit is not None:
        remarks.append(f"limit {answer.limit:.5g}")
    limit = sigma if answer.proven else answer.limit or 0.0
    return Row(name, version(package), took, sigma, ", ".join(remarks)), limit


def gantry(program: str, *arguments: str) -> str:
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def gantry_rows(program: str, file: Path, seed: int) -> list[Row]:
    rows = []
    for search in gantry(program, "searches").split():
        for seconds in GANTRY_SECONDS:
            answer = json.loads(gantry(program, "solve", str(file), search, str(seconds), str(seed)))
            remark = f"{answer['unplaced']} unplaced" if answer["unplaced"] else ""
            rows.append(Row(f"Gantry {search}, {seconds} s", "", answer["seconds"], answer["sigma"], remark))
    return rows


def percent(share: float) -> str:
    # Adding 0 makes a rounded -0 a 0.
    return f"{round(100.0 * share, 2) + 0.0:+.2f} %"


def print_table(rows: list[Row], limit: float) -> None:
    print("| solver | version | seconds | sigma | over the limit | |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        sigma = "–" if row.sigma is None else f"{row.sigma:.5f}"
        over = "–" if row.sigma is None or limit < 1e-3 else percent(row.sigma / limit - 1.0)
        print(f"| {row.solver} | {row.version} | {row.seconds:.2f} | {sigma} | {over} | {row.remark} |")
    print(flush=True)


def compare(program: str, name: str, seconds: float, only: list[str], folder: Path) -> None:
    size, seed, *family = name.split(":")
    file = folder / "instance.json"
    file.write_text(gantry(program, "write", *size.split("x"), seed, *family))
    instance = Instance.read(file)
    rows = gantry_rows(program, file, int(seed))
    start = time.monotonic()
    limit = float(gantry(program, "limit", str(file)))
    rows.append(Row("Gantry's convex limit", "", time.monotonic() - start, None, f"limit {limit:.5g}"))
    for referee in only or REFEREES:
        if referee == "HiGHS, convex relaxation" and instance.pods * instance.nodes > LARGEST_RELAXATION:
            continue
        row, proven = judge_apart(referee, instance, seconds, int(seed))
        rows.append(row)
        limit = max(limit, proven)
    print(f"## {name}, referees {seconds:g} s each; greatest proven limit {limit:.5g}\n")
    print_table(rows, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="Gantry's example `placement`")
    parser.add_argument("--instances", nargs="+", default=INSTANCES, help="PODSxNODES:SEED[:pools]")
    parser.add_argument("--seconds", type=float, default=30.0, help="time limit of each referee (default 30)")
    parser.add_argument("--only", nargs="+", default=[], choices=REFEREES, help="these referees alone")
    arguments = parser.parse_args()
    print(f"# Referees on Gantry's instances\n\n{os.cpu_count()} cores; CP-SAT uses all of them, the others one\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.instances:
            compare(arguments.program, name, arguments.seconds, arguments.only, Path(folder))


if __name__ == "__main__":
    main()
