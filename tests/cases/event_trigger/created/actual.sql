CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$begin raise exception 'not now'; end$$;
