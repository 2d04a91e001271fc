"""What ``cppasgi migrate`` is made of, which finds what starts Daphne in a file.

`marks` makes every "daphne" of a file a word of its own, so that ordinary parsers can tell where
each stands; `kinds` chooses the reader by the file's name; the readers (`documents`, `units`,
`recipes`, `programs`) find the commands in it; `commands` and `shell` find what a command runs;
`files` reads files, writes them and keeps the old ones.
"""
