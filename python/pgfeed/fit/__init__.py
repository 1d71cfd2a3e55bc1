"""Ranking profiles learned from what users chose.

weights  the arithmetic: components and choices as arrays, weights out
decays   components that another half-life or decay distance would change, as closed formulas
replay   the answers of a run of pgfeed.evaluation as examples, and what was learned judged
world    a database's users, listings and log, as the folder that is replayed
profile  the row of feed.ranking_profiles
"""
