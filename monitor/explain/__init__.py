"""Explanations: every figure of an account as a tree down to its inputs."""

from monitor.explain.account import explain
from monitor.explain.formula import holds, worked_out
from monitor.explain.node import Node, plain_tree

__all__ = ["Node", "explain", "holds", "plain_tree", "worked_out"]
