CREATE TYPE mood AS ENUM ('sad', 'ok', 'gone');
CREATE TABLE t (
    id integer PRIMARY KEY,
    a mood DEFAULT 'ok',
    b mood[],
    c mood NOT NULL,
    n integer
);
CREATE TABLE u (m mood);
CREATE VIEW v AS SELECT a FROM t;
INSERT INTO t VALUES (1, 'sad', '{ok,sad}', 'ok', 3);
