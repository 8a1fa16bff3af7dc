CREATE FUNCTION hour(at timestamptz) RETURNS timestamp LANGUAGE sql IMMUTABLE
  RETURN date_trunc('hour', at::timestamp);
CREATE TABLE t (id int PRIMARY KEY, at timestamptz);
CREATE INDEX one ON t (hour(at));
-- passing
CREATE FUNCTION hour(at timestamptz) RETURNS timestamp LANGUAGE sql IMMUTABLE
  RETURN date_trunc('hour', at AT TIME ZONE 'UTC');
CREATE TABLE t (id int PRIMARY KEY, at timestamptz);
CREATE INDEX one ON t (hour(at));
