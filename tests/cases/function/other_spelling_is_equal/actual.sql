CREATE FUNCTION public.halve(n int, VARIADIC rest varchar[] DEFAULT '{}') RETURNS double precision LANGUAGE plpgsql AS $$BEGIN RETURN n / 2.0; END$$;
