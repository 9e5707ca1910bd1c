"""The studio: runs in a local web page, watched while they train, and steered.

A face, as the command line is one: it reads run folders, asks verbs, draws and answers; it has no
logic of its own. The server (`app`, `guard`, `replies`) imports no torch; what computes is a task
(`tasks`) and is done by a worker process (`workshop`, `worker`). Training is nobody's child here:
the only thing that the studio ever writes into a run folder is a request to its trainer.

`pages/` has one module a page, with its routes; the pages themselves are in `web/`, built into
`static/`.
"""
