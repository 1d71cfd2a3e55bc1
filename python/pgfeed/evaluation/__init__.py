"""How good the feed is: asked as of moments of the past, judged by what people did next.

data     a data set as rows and arrays, from CSV files or made up
cutoffs  the moments, and whom to ask at each
known    what existed and was known at a moment, as a folder that the product loads
product  a scratch database at a moment: loaded, trained, asked
asked    all answers of a run as flat arrays: candidates, components, positives
past     what the baselines know at a moment, as matrices
baselines, linear    the models that get_feed is compared with
tuning   the same number of trials for every model
metrics  ranks, figures a user, paired bootstrap intervals
report   lines, table, plot, document
run      all of it in order
"""
