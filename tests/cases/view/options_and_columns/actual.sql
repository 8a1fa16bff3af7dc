CREATE TABLE t (id integer PRIMARY KEY, a integer, b text);
CREATE VIEW guarded WITH (security_barrier = on) AS SELECT id, a FROM t;
COMMENT ON COLUMN guarded.a IS 'kept';
ALTER VIEW guarded ALTER COLUMN a SET DEFAULT 1;
CREATE VIEW on_guarded AS SELECT id, a FROM guarded;
CREATE VIEW open WITH (security_barrier = true, check_option = local) AS SELECT id FROM t WHERE a > 0;
