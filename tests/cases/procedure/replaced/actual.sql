CREATE PROCEDURE public.archive(before date) LANGUAGE plpgsql AS 'BEGIN END';
COMMENT ON PROCEDURE public.archive(date) IS 'moves what is old';
CREATE PROCEDURE public.tidy() LANGUAGE sql AS 'SELECT 1';
