"""Explanation: what a trained model looks at, and how far such a picture can be believed.

What lives here: maps of single inputs (`attribution`, `class_maps`), how they are tested
(`likeness`, `sanity`, `faithfulness`, `pointing`), what units respond to (`features`,
`maximization`, `neighbors`), and what columns, words, nodes and edges are worth (`columns`,
`words`, `edges`). All of it is functions of a module and of arrays; a model stays as it was. It
draws nothing: `reports` does.
"""
