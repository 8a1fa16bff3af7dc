-- It finds a function without SET search_path.
CREATE FUNCTION count_all() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
