"""Families of made-up crowds: each is one way in which crowds are unlike the next, its sizes and rates drawn anew.

What is chosen of the engine is chosen on families without the one it is then measured on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import expit, ndtr

from services.scoring.aggregation.models.crowd import Floats, Ints
from tests.benchmarks.crowds.made import (
    Made,
    Random,
    Role,
    Shape,
    around,
    between,
    classes_of,
    coins,
    draw,
    drawn_shape,
    made,
    pairs,
    skills,
)


def decent(rng: Random) -> Made:
    """Raters of whom most are good, each with errors of their own."""
    shape = drawn_shape(rng)
    rows = around(rng, coins(skills(rng, shape.workers, rng.uniform(0.6, 0.85)), shape.classes), between(rng, 8, 60))
    return _plain(rng, shape, rows, classes_of(rng, shape))


def one_direction(rng: Random) -> Made:
    """Most raters err the same way: they miss positives, or see each level one lower."""
    shape = drawn_shape(rng, classes=(2, 2, 2, 3, 4), tasks=(100, 2000))
    if shape.classes == 2:
        positive = rng.uniform(0.2, 0.55)
        truth = (rng.random(shape.tasks) < positive).astype(np.int64)
        hit = skills(rng, shape.workers, rng.uniform(0.4, 0.6), between(rng, 6, 30))
        calm = skills(rng, shape.workers, rng.uniform(0.85, 0.98), between(rng, 10, 40))
        rows = np.stack([np.stack([calm, 1 - calm], axis=1), np.stack([1 - hit, hit], axis=1)], axis=1)
        return _plain(rng, shape, rows, truth)
    lower = rng.uniform(0.3, 0.5)
    base = (0.92 - lower) * np.eye(shape.classes) + lower * np.eye(shape.classes, k=-1) + 0.08 / shape.classes
    base[0, 0] += lower
    rows = around(rng, np.repeat(base[None], shape.workers, axis=0), between(rng, 8, 40))
    return _plain(rng, shape, rows, classes_of(rng, shape))


def miss_half(rng: Random) -> Made:
    """A hundred tasks, thirty raters who say no to half of the true ones."""
    shape = Shape(100, 30, 2, rng.uniform(4, 10))
    truth = (rng.random(shape.tasks) < rng.uniform(0.35, 0.6)).astype(np.int64)
    rows = np.repeat(np.array([[[0.97, 0.03], [0.5, 0.5]]]), shape.workers, axis=0)
    return _plain(rng, shape, rows, truth)


def opposite_biases(rng: Random) -> Made:
    """Two camps of raters, of whom one says yes too often and the other too seldom, by signal detection."""
    shape = drawn_shape(rng, classes=(2,))
    apart, shift = rng.uniform(1.2, 2.6, shape.workers), rng.uniform(0.5, 1.2)
    camp = np.where(rng.random(shape.workers) < rng.uniform(0.3, 0.7), shift, -shift)
    truth = (rng.random(shape.tasks) < rng.uniform(0.3, 0.6)).astype(np.int64)
    return _plain(rng, shape, _thresholds(apart, camp + rng.normal(0, 0.2, shape.workers)), truth)


def experts(rng: Random) -> Made:
    """Some experts among weak raters."""
    shape = drawn_shape(rng, classes=(2, 2, 3, 4), per_task=(4, 10))
    expert = rng.random(shape.workers) < rng.uniform(0.06, 0.25)
    expert[:2] = True
    weak = 1 / shape.classes + rng.uniform(0.05, 0.2)
    skill = np.where(expert, rng.uniform(0.96, 0.995), skills(rng, shape.workers, weak, 20.0))
    found = _plain(rng, shape, coins(skill, shape.classes), classes_of(rng, shape))
    return Made(found.crowd, found.truth, np.where(expert, Role.EXPERT, Role.ORDINARY), found.ring)


def few_experts(rng: Random) -> Made:
    """A small crowd in which three who are always right see every task, beside others who are weak."""
    shape = Shape(int(rng.integers(20, 60)), int(rng.integers(10, 18)), 2, float(rng.integers(6, 8)))
    role = np.where(np.arange(shape.workers) < 3, Role.EXPERT, Role.ORDINARY)
    skill = np.where(role == Role.EXPERT, 0.995, skills(rng, shape.workers, rng.uniform(0.5, 0.58), 60.0))
    busy = np.where(role == Role.EXPERT, 1e9, 1.0)
    truth = classes_of(rng, shape)
    task, worker = pairs(rng, shape, busy)
    label = draw(rng, coins(skill, 2)[worker, truth[task]])
    return made(shape, task, worker, label, truth, role)


def hard_tasks(rng: Random) -> Made:
    """Some tasks mislead most raters, each to one wrong label; good raters are misled less."""
    shape = drawn_shape(rng, per_task=(4, 10))
    truth = classes_of(rng, shape)
    share = rng.dirichlet(np.full(shape.classes, 3.0)) * shape.classes * rng.uniform(0.1, 0.35)
    hard = rng.random(shape.tasks) < np.minimum(share[truth], 0.8)
    lure = (truth + rng.integers(1, shape.classes, shape.tasks)) % shape.classes
    skill = skills(rng, shape.workers, rng.uniform(0.75, 0.92))
    task, worker = pairs(rng, shape)
    rows = coins(skill, shape.classes)[worker, truth[task]]
    misled = np.flatnonzero(hard[task])
    drawn_to = np.clip(rng.uniform(0.4, 0.7) + 0.6 * (skill.mean() - skill[worker[misled]]), 0.05, 0.95)
    rows[misled] *= (1 - drawn_to)[:, None]
    rows[misled, lure[task[misled]]] += drawn_to
    return made(shape, task, worker, draw(rng, rows), truth)


def easy_and_hard(rng: Random) -> Made:
    """Each class has easy and hard tasks, as unlike as classes are: raters err together where it is hard."""
    shape = drawn_shape(rng, classes=(2, 2, 2, 3, 4), per_task=(4, 12))
    n = shape.classes
    truth = classes_of(rng, shape, 5.0)
    hard = rng.random(shape.tasks) < rng.uniform(0.1, 0.6, n)[truth]
    easy_rows = around(rng, coins(skills(rng, shape.workers, rng.uniform(0.82, 0.95)), n), 20.0)
    like = around(rng, coins(rng.uniform(0.35, 0.6, 1) + 0.15 * (n == 2), n), 6.0)
    hard_rows = around(rng, np.repeat(like, shape.workers, axis=0), between(rng, 5, 30))
    task, worker = pairs(rng, shape)
    rows = np.where(hard[task][:, None], hard_rows[worker, truth[task]], easy_rows[worker, truth[task]])
    return made(shape, task, worker, draw(rng, rows), truth)


def difficulty(rng: Random) -> Made:
    """Tasks differ in how hard they are and raters in how able, by item response theory; one class may be harder.

    P(right) = logistic(ability - difficulty); whoever is wrong names what the task looks like (Rasch 1960; GLAD, 2009).
    """
    shape = drawn_shape(rng, classes=(2, 2, 2, 3, 4), per_task=(4, 12), per_rater=(20, 300))
    truth = classes_of(rng, shape, 4.0)
    able = rng.normal(rng.uniform(0.8, 1.8), rng.uniform(0.5, 1.2), shape.workers)
    of_class = rng.normal(0, 0.7, shape.classes)
    hard = of_class[truth] + rng.normal(0, rng.uniform(0.7, 2.0), shape.tasks)
    looks_like = (truth + rng.integers(1, shape.classes, shape.tasks)) % shape.classes
    task, worker = pairs(rng, shape)
    right = rng.random(len(task)) < expit(able[worker] - hard[task])
    return made(shape, task, worker, np.where(right, truth[task], looks_like[task]), truth)


def one_threshold(rng: Random) -> Made:
    """Each task has a strength that all see with noise, and nearly all ask for much, or for little, to say yes.

    Signal detection with tasks that differ within their class: raters err in one direction, and together.
    """
    shape = drawn_shape(rng, classes=(2,), per_task=(4, 10), per_rater=(20, 200))
    truth = (rng.random(shape.tasks) < rng.uniform(0.15, 0.55)).astype(np.int64)
    strength = (truth - 0.5) * rng.uniform(1.2, 2.4) + rng.normal(0, rng.uniform(0.1, 0.8), shape.tasks)
    noise = np.exp(rng.normal(rng.uniform(-0.3, 0.3), 0.4, shape.workers))
    asks = rng.normal(rng.choice((-1, 1)) * rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.5), shape.workers)
    task, worker = pairs(rng, shape)
    label = strength[task] + rng.normal(size=len(task)) * noise[worker] > asks[worker]
    return made(shape, task, worker, label.astype(np.int64), truth)


def another_question(rng: Random) -> Made:
    """A part of the raters answer another question than was asked, whose answer is often the same."""
    shape = drawn_shape(rng, classes=(2, 2, 3), per_task=(4, 12))
    truth = classes_of(rng, shape, 8.0)
    same = rng.random(shape.tasks) < rng.uniform(0.5, 0.8)
    other = np.where(same, truth, (truth + rng.integers(1, shape.classes, shape.tasks)) % shape.classes)
    misled = rng.random(shape.workers) < rng.uniform(0.15, 0.4)
    rows = around(rng, coins(skills(rng, shape.workers, rng.uniform(0.7, 0.9)), shape.classes), 30.0)
    task, worker = pairs(rng, shape)
    asked = np.where(misled[worker], other[task], truth[task])
    return made(shape, task, worker, draw(rng, rows[worker, asked]), truth)


def drift(rng: Random) -> Made:
    """Raters who tire, or learn, from the first task to the last."""
    shape = drawn_shape(rng, per_rater=(30, 150))
    truth = classes_of(rng, shape)
    first, last = (skills(rng, shape.workers, rng.uniform(*span)) for span in ((0.75, 0.9), (0.45, 0.7)))
    turned = rng.random(shape.workers) < rng.uniform(0.0, 0.5)
    first, last = np.where(turned, last, first), np.where(turned, first, last)
    task, worker = pairs(rng, shape)
    along = task / shape.tasks
    skill = (1 - along) * first[worker] + along * last[worker]
    rows = coins(skill, shape.classes)[np.arange(len(task)), truth[task]]
    return made(shape, task, worker, draw(rng, rows), truth)


def spammers(rng: Random) -> Made:
    """A fifth to two fifths of the raters do not look: any label, labels as all name them, one label, or hardly."""
    shape = drawn_shape(rng, per_task=(4, 10), per_rater=(20, 100))
    truth = classes_of(rng, shape, 6.0)
    rows = around(rng, coins(skills(rng, shape.workers, rng.uniform(0.7, 0.88)), shape.classes), 30.0)
    bad = rng.random(shape.workers) < rng.uniform(0.2, 0.4)
    common = np.bincount(truth, minlength=shape.classes) / shape.tasks
    habit, n = rng.integers(0, 4, shape.workers), shape.classes
    constant = np.eye(n)[rng.choice(n, shape.workers, p=common)]
    random = np.full(n, 1 / n)
    for number, one in enumerate((random, common)):
        rows[bad & (habit == number)] = one
    rows[bad & (habit == 2)] = np.repeat(constant[bad & (habit == 2)][:, None], n, axis=1)
    rows[bad & (habit == 3)] = 0.85 * random + 0.15 * np.eye(n)
    found = _plain(rng, shape, rows, truth)
    return Made(found.crowd, found.truth, np.where(bad, Role.SPAMMER, Role.ORDINARY), found.ring)


def rings(rng: Random) -> Made:
    """Groups in which all copy one weak key: whole, but for one answer in twelve, or but for one in five."""
    shape = drawn_shape(rng, per_task=(5, 10), per_rater=(30, 120))
    truth = classes_of(rng, shape)
    rows = around(rng, coins(skills(rng, shape.workers, rng.uniform(0.65, 0.85)), shape.classes), 30.0)
    role, ring = np.zeros(shape.workers, dtype=np.int64), np.full(shape.workers, -1)
    free = rng.permutation(shape.workers)
    rate = np.array([rng.choice((1.0, 0.92, 0.8)) for _ in range(3)])
    for number in range(3):
        members, free = np.split(free, [min(int(rng.integers(3, 7)), max(shape.workers // 8, 3))])
        ring[members], role[members] = number, Role.COPIER
    weak = coins(np.full(1, rng.uniform(0.3, 0.6)), shape.classes)[0, truth]
    key = np.stack([draw(rng, weak) for _ in range(3)])
    task, worker = pairs(rng, shape)
    label = draw(rng, rows[worker, truth[task]])
    copied = (ring[worker] >= 0) & (rng.random(len(task)) < rate[ring[worker]])
    label[copied] = key[ring[worker][copied], task[copied]]
    return made(shape, task, worker, label, truth, role, ring)


def few_answers(rng: Random) -> Made:
    """One to three answers a task, or few of each rater, of decent raters or of some who err in one direction."""
    shape = drawn_shape(rng, per_task=(1, 3), per_rater=(4, 60))
    base = coins(np.full(1, rng.uniform(0.6, 0.85)), shape.classes)
    base = around(rng, base, rng.choice((6.0, 60.0)))
    rows = around(rng, np.repeat(base, shape.workers, axis=0), between(rng, 4, 40))
    return _plain(rng, shape, rows, classes_of(rng, shape, between(rng, 2, 20)))


def few_of_each(rng: Random) -> Made:
    """Many raters with four to twelve answers each."""
    shape = drawn_shape(rng, tasks=(150, 800), per_task=(4, 8), per_rater=(4, 12))
    rows = around(
        rng, coins(skills(rng, shape.workers, rng.uniform(0.6, 0.85), 6.0), shape.classes), between(rng, 8, 40)
    )
    return _plain(rng, shape, rows, classes_of(rng, shape, between(rng, 3, 20)))


def many_labels(rng: Random) -> Made:
    """Eight to forty labels, each with one or two that look like it."""
    shape = drawn_shape(rng, classes=(8, 12, 20, 40), per_rater=(20, 150))
    n = shape.classes
    alike = np.zeros((n, n))
    np.add.at(alike, (np.repeat(np.arange(n), 2), rng.integers(0, n, 2 * n)), rng.uniform(0.2, 1.0, 2 * n))
    skill = skills(rng, shape.workers, rng.uniform(0.5, 0.75))
    errors = 0.5 * alike / np.maximum(alike.sum(axis=1, keepdims=True), 1e-9) + 0.5 / n
    rows = skill[:, None, None] * np.eye(n) + (1 - skill)[:, None, None] * errors
    return _plain(rng, shape, around(rng, rows, 60.0), classes_of(rng, shape, between(rng, 1, 10)))


def skewed(rng: Random) -> Made:
    """One class is rare; raters differ in how readily they name it."""
    shape = drawn_shape(rng, classes=(2, 2, 3, 4), tasks=(400, 4000), per_task=(3, 8))
    if shape.classes == 2:
        truth = (rng.random(shape.tasks) < rng.uniform(0.04, 0.15)).astype(np.int64)
        rows = _thresholds(rng.uniform(1.4, 3.2, shape.workers), rng.normal(-0.4, 0.4, shape.workers))
        return _plain(rng, shape, rows, truth)
    share = np.array([1.0, 0.25, 0.12, 0.08])[: shape.classes]
    truth = rng.choice(shape.classes, shape.tasks, p=share / share.sum())
    skill = skills(rng, shape.workers, rng.uniform(0.3, 0.7))[:, None, None]
    rows = skill * np.eye(shape.classes) + (1 - skill) * (share / share.sum())
    return _plain(rng, shape, around(rng, rows, 30.0), truth)


def graded(rng: Random) -> Made:
    """Levels in an order: raters see them with noise, some more strictly than others."""
    shape = drawn_shape(rng, classes=(3, 4, 5, 6))
    n = shape.classes
    noise = np.exp(rng.normal(np.log(rng.uniform(0.5, 0.9)), 0.4, shape.workers))[:, None, None]
    strict = rng.normal(rng.uniform(-0.4, 0.4), 0.4, shape.workers)[:, None, None]
    edges = (np.arange(1, n) - 0.5)[None, None]
    below = ndtr((edges - np.arange(n)[None, :, None] - strict) / noise)
    ends = np.concatenate((np.zeros((*below.shape[:2], 1)), below, np.ones((*below.shape[:2], 1))), axis=2)
    return _plain(rng, shape, around(rng, np.diff(ends, axis=2), 60.0), classes_of(rng, shape, 6.0))


def _plain(rng: Random, shape: Shape, rows: Floats, truth: Ints) -> Made:
    """Everybody answers by their matrix; in half of the crowds some tasks are harder than others of their class.

    Real raters err together: a model that takes errors for independent must not be chosen because made-up ones are.
    """
    task, worker = pairs(rng, shape)
    says = rows[worker, truth[task]]
    if rng.random() < 0.5:
        doubt = rng.beta(0.5, 1.5, shape.tasks)[task][:, None] * rng.uniform(0.3, 1.0)
        like = rng.dirichlet(np.full(shape.classes, 1.0), shape.tasks)[task]
        says = (1 - doubt) * says + doubt * (0.5 * like + 0.5 * says.mean(axis=0))
    return made(shape, task, worker, draw(rng, says), truth)


def _thresholds(apart: Floats, shift: Floats) -> Floats:
    """Matrices of two classes by signal detection: how far apart classes lie for each rater, and how ready they are
    to say yes, in standard deviations.
    """
    yes = ndtr(np.stack([shift - apart / 2, shift + apart / 2], axis=1))
    return np.stack([1 - yes, yes], axis=2)


FAMILIES: Mapping[str, Callable[[Random], Made]] = {
    made_by.__name__: made_by
    for made_by in (
        decent,
        one_direction,
        miss_half,
        opposite_biases,
        experts,
        few_experts,
        hard_tasks,
        easy_and_hard,
        difficulty,
        one_threshold,
        another_question,
        drift,
        spammers,
        rings,
        few_answers,
        few_of_each,
        many_labels,
        skewed,
        graded,
    )
}


def crowd_of(family: str, seed: int) -> Made:
    """The crowd of a family by a seed: the same for ever."""
    return FAMILIES[family](np.random.default_rng([seed, sum(family.encode())]))
