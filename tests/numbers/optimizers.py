#!/usr/bin/env python3
"""Writes optimizers.txt: trajectories of optimizers by their formulas, one number at a time, in 50 decimal digits.

Each line is the name of a variant and both weights after each of 20 steps down the slope c (w^3 - w) + 0.3, from 1.7 with
c = 1 and from -0.4 with c = 2.5. `k` is the formula of Keras 3, `t` that of PyTorch. Numbers are passed as text, so that 0.1
is a tenth.
"""
from decimal import Decimal as D, getcontext

getcontext().prec = 50
START = [D("1.7"), D("-0.4")]
C = [D(1), D("2.5")]
STEPS = 20


def slope(w, c):
    return c * (w**3 - w) + D("0.3")


# ---- rules: each gives a function that makes a fresh rule(w, g, t), with t from 1


def sgd(way, rate, momentum="0", nesterov=False):
    mu = D(momentum)
    rate_of = rate if callable(rate) else lambda t: D(rate)

    def fresh():
        v = D(0)

        def rule(w, g, t):
            nonlocal v
            r = rate_of(t)
            if mu == 0:
                return w - r * g
            if way == "k":
                v = mu * v - r * g
                return w + mu * v - r * g if nesterov else w + v
            v = g if t == 1 else mu * v + g
            return w - r * (g + mu * v) if nesterov else w - r * v

        return rule

    return fresh


def adagrad(way, rate, start, epsilon):
    def fresh():
        a = D(start)

        def rule(w, g, t):
            nonlocal a
            a += g * g
            return w - D(rate) * g / ((a + D(epsilon)).sqrt() if way == "k" else a.sqrt() + D(epsilon))

        return rule

    return fresh


def adadelta(rate, rho, epsilon):
    def fresh():
        e = x = D(0)
        r = D(rho)

        def rule(w, g, t):
            nonlocal e, x
            e = r * e + (1 - r) * g * g
            step = (x + D(epsilon)).sqrt() / (e + D(epsilon)).sqrt() * g
            x = r * x + (1 - r) * step * step
            return w - D(rate) * step

        return rule

    return fresh


def rmsprop(way, rate, rho, epsilon, momentum="0", centered=False):
    def fresh():
        v = a = m = D(0)
        r, mu = D(rho), D(momentum)

        def rule(w, g, t):
            nonlocal v, a, m
            v = r * v + (1 - r) * g * g
            a = r * a + (1 - r) * g
            spread = v - a * a if centered else v
            if way == "k":
                m = mu * m + D(rate) * g / (spread + D(epsilon)).sqrt()
                return w - m
            m = mu * m + g / (spread.sqrt() + D(epsilon))
            return w - D(rate) * m

        return rule

    return fresh


def adam(way, rate, beta_1, beta_2, epsilon, amsgrad=False):
    def fresh():
        m = v = top = D(0)
        b1, b2, r = D(beta_1), D(beta_2), D(rate)

        def rule(w, g, t):
            nonlocal m, v, top
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g * g
            top = max(top, v)
            u = top if amsgrad else v
            if way == "k":
                return w - r * (1 - b2**t).sqrt() / (1 - b1**t) * m / (u.sqrt() + D(epsilon))
            return w - r / (1 - b1**t) * m / ((u / (1 - b2**t)).sqrt() + D(epsilon))

        return rule

    return fresh


def adamax(way, rate, beta_1, beta_2, epsilon):
    def fresh():
        m = u = D(0)
        b1, b2 = D(beta_1), D(beta_2)

        def rule(w, g, t):
            nonlocal m, u
            m = b1 * m + (1 - b1) * g
            if way == "k":
                u = max(b2 * u, abs(g))
                return w - D(rate) * m / ((1 - b1**t) * (u + D(epsilon)))
            u = max(b2 * u, abs(g) + D(epsilon))
            return w - D(rate) / (1 - b1**t) * m / u

        return rule

    return fresh


def nadam(rate, beta_1, beta_2, epsilon, decay):
    b1, b2 = D(beta_1), D(beta_2)

    def mu(t):
        return b1 * (1 - D("0.5") * D("0.96") ** (t * D(decay)))

    def fresh():
        m = v = D(0)
        product = D(1)

        def rule(w, g, t):
            nonlocal m, v, product
            m = b1 * m + (1 - b1) * g
            v = b2 * v + (1 - b2) * g * g
            product *= mu(t)
            hat = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
            return w - D(rate) * hat / ((v / (1 - b2**t)).sqrt() + D(epsilon))

        return rule

    return fresh


def lion(rate, beta_1, beta_2):
    def fresh():
        m = D(0)
        b1, b2 = D(beta_1), D(beta_2)

        def rule(w, g, t):
            nonlocal m
            x = b1 * m + (1 - b1) * g
            m = b2 * m + (1 - b2) * g
            return w - D(rate) * ((x > 0) - (x < 0))

        return rule

    return fresh


# ---- decay around a rule, and gradients clipped before it


def decoupled(fresh, rate, decay):
    def around():
        rule = fresh()
        return lambda w, g, t: rule(w - D(rate) * D(decay) * w, g, t)

    return around


def coupled(fresh, decay):
    def around():
        rule = fresh()
        return lambda w, g, t: rule(w, g + D(decay) * w, t)

    return around


def by_norm(limit, epsilon):
    def clip(gradients):
        norm = sum(g * g for g in gradients).sqrt() + D(epsilon)
        return [g * min(D(1), D(limit) / norm) for g in gradients]

    return clip


def by_value(limit):
    return lambda gradients: [max(-D(limit), min(D(limit), g)) for g in gradients]


def trajectory(fresh, clip=lambda gradients: gradients):
    rules = [fresh() for _ in START]
    weights, out = list(START), []
    for t in range(1, STEPS + 1):
        gradients = clip([slope(w, c) for w, c in zip(weights, C)])
        weights = [rule(w, g, t) for rule, w, g in zip(rules, weights, gradients)]
        out += weights
    return out


def halves(t):  # half of it from step 5 on, counted from 0, a quarter from 10
    return D("0.05") * D("0.5") ** ((t - 1) // 5)


some_adam = ("0.2", "0.8", "0.9", "1e-3")
VARIANTS = {
    "sgd": [sgd("k", "0.01")],
    "sgd torch": [sgd("t", "0.001")],
    "sgd momentum": [sgd("k", "0.05", "0.9")],
    "sgd momentum torch": [sgd("t", "0.05", "0.9")],
    "sgd nesterov": [sgd("k", "0.05", "0.9", True)],
    "sgd nesterov torch": [sgd("t", "0.05", "0.9", True)],
    "sgd schedule": [sgd("k", halves, "0.9")],
    "sgd schedule torch": [sgd("t", halves, "0.9")],
    "adagrad": [adagrad("k", "0.001", "0.1", "1e-7")],
    "adagrad torch": [adagrad("t", "0.01", "0", "1e-10")],
    "adagrad options": [adagrad("k", "0.5", "0.3", "0.01")],
    "adagrad options torch": [adagrad("t", "0.5", "0.3", "0.01")],
    "adadelta": [adadelta("1", "0.95", "1e-7")],
    "adadelta torch": [adadelta("1", "0.9", "1e-6")],
    "adadelta options": [adadelta("0.5", "0.8", "0.01")],
    "rmsprop": [rmsprop("k", "0.001", "0.9", "1e-7")],
    "rmsprop torch": [rmsprop("t", "0.01", "0.99", "1e-8")],
    "rmsprop centered": [rmsprop("k", "0.05", "0.8", "1e-3", centered=True)],
    "rmsprop centered torch": [rmsprop("t", "0.05", "0.8", "1e-3", centered=True)],
    "rmsprop momentum": [rmsprop("k", "0.02", "0.9", "1e-7", "0.7")],
    "rmsprop momentum torch": [rmsprop("t", "0.02", "0.9", "1e-7", "0.7")],
    "rmsprop both": [rmsprop("k", "0.02", "0.8", "1e-3", "0.7", True)],
    "rmsprop both torch": [rmsprop("t", "0.02", "0.8", "1e-3", "0.7", True)],
    "adam": [adam("k", "0.001", "0.9", "0.999", "1e-7")],
    "adam torch": [adam("t", "0.001", "0.9", "0.999", "1e-8")],
    "adam options": [adam("k", *some_adam)],
    "adam options torch": [adam("t", *some_adam)],
    "amsgrad": [adam("k", *some_adam, True)],
    "amsgrad torch": [adam("t", *some_adam, True)],
    "adamw": [decoupled(adam("k", "0.001", "0.9", "0.999", "1e-7"), "0.001", "0.004")],
    "adamw torch": [decoupled(adam("t", "0.001", "0.9", "0.999", "1e-8"), "0.001", "0.01")],
    "adamw options": [decoupled(adam("k", *some_adam, True), "0.2", "0.1")],
    "adamax": [adamax("k", "0.001", "0.9", "0.999", "1e-7")],
    "adamax torch": [adamax("t", "0.002", "0.9", "0.999", "1e-8")],
    "adamax options": [adamax("k", "0.2", "0.8", "0.7", "0.05")],
    "adamax options torch": [adamax("t", "0.2", "0.8", "0.7", "0.05")],
    "nadam": [nadam("0.001", "0.9", "0.999", "1e-7", "1")],
    "nadam torch": [nadam("0.002", "0.9", "0.999", "1e-8", "0.004")],
    "nadam options": [nadam("0.2", "0.8", "0.9", "1e-3", "0.5")],
    "lion": [lion("0.001", "0.9", "0.99")],
    "lion options": [lion("0.1", "0.5", "0.8")],
    "decay sgd": [decoupled(sgd("k", "0.05", "0.9"), "0.05", "0.2")],
    "decay sgd torch": [coupled(sgd("t", "0.05", "0.9"), "0.2")],
    "decay adam": [decoupled(adam("k", *some_adam), "0.2", "0.2")],
    "decay adam torch": [coupled(adam("t", *some_adam), "0.2")],
    "clip norm": [sgd("k", "0.1"), by_norm("0.9", "0")],
    "clip norm torch": [sgd("t", "0.1"), by_norm("0.9", "1e-6")],
    "clip value": [sgd("k", "0.1"), by_value("0.3")],
    "clip value decay": [decoupled(sgd("k", "0.1"), "0.1", "0.2"), by_value("0.3")],
    "clip value decay torch": [coupled(sgd("t", "0.1"), "0.2"), by_value("0.3")],
}

if __name__ == "__main__":
    import pathlib

    with open(pathlib.Path(__file__).with_suffix(".txt"), "w") as file:
        for name, variant in VARIANTS.items():
            print(f"{name}:", *(repr(float(w)) for w in trajectory(*variant)), file=file)
