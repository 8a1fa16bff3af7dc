CREATE TABLE t (id int PRIMARY KEY, d jsonb, e jsonb NOT NULL,
  CONSTRAINT one CHECK (jsonb_typeof(d) = 'object' AND d ? 'k'),
  CONSTRAINT two CHECK (e ->> 'status' IN ('open', 'closed')));
-- passing
CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n > 0), d jsonb, e jsonb NOT NULL,
  CONSTRAINT one CHECK (d IS NOT NULL AND jsonb_typeof(d) = 'object'),
  CONSTRAINT two CHECK (d IS NULL OR jsonb_typeof(d) = 'object'),
  CONSTRAINT three CHECK (NOT e ? 'status' OR coalesce(e ->> 'status', '') IN ('open', 'closed')),
  CONSTRAINT four CHECK (jsonb_typeof(e) = 'object'));
