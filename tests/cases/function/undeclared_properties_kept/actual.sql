CREATE FUNCTION public.owner_of(p_id int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO ''
  AS $$SELECT 'nobody'$$;
REVOKE ALL ON FUNCTION public.owner_of(int) FROM PUBLIC;
COMMENT ON FUNCTION public.owner_of(int) IS 'whose it is';
