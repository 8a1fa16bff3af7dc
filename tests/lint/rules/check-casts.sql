CREATE TABLE t (id int PRIMARY KEY, d jsonb NOT NULL, s text,
  CONSTRAINT one CHECK (coalesce((d ->> 'ms')::numeric > 0, true)));
-- passing
CREATE TABLE t (id int PRIMARY KEY, n int, d jsonb NOT NULL, s text,
  CONSTRAINT one CHECK (NOT d ? 'ms' OR (jsonb_typeof(d -> 'ms') = 'number' AND d -> 'ms' > '0')),
  CONSTRAINT two CHECK (CASE WHEN jsonb_typeof(d -> 'ms') = 'number' THEN (d ->> 'ms')::int > 0 END),
  CONSTRAINT three CHECK (n::text <> '' AND s::varchar <> ''));
