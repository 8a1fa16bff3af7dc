CREATE TABLE p (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED, d text DEFAULT 'p1');
CREATE TABLE c (d text DEFAULT 'c', b integer GENERATED ALWAYS AS (a * 5) STORED) INHERITS (p);
