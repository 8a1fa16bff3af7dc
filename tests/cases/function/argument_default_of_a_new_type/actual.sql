CREATE FUNCTION lately(days integer) RETURNS integer LANGUAGE sql AS $$ SELECT days $$;
