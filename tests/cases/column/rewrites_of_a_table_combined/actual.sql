CREATE TABLE t (
    id integer PRIMARY KEY,
    a timestamp DEFAULT '2020-01-01',
    b json,
    c integer,
    d integer DEFAULT 1,
    e text,
    g integer GENERATED ALWAYS AS (c + 1) STORED,
    h integer GENERATED ALWAYS AS (length(e)) STORED
);
CREATE VIEW v AS SELECT a, d FROM t;
CREATE INDEX t_c ON t (c, d);
INSERT INTO t (id, a, b, c, d, e) VALUES (1, '2020-01-01 00:00', '{"k": 1}', 2, 3, 'four');
