"""The fast feed: listings in columnar blocks, scored with numpy inside the server.

rows      listings as columns
blocks    a block as it is stored and as it is scored
fold      changes into blocks
kernel    the score of every listing of a block for one user
cache     blocks that a session has read, by version
feed      the best listings of a user, exact
"""
