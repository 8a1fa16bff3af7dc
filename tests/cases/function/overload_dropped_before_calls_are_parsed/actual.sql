CREATE FUNCTION public.next_id() RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
CREATE TABLE public.t (id text DEFAULT public.next_id());
CREATE VIEW public.v AS SELECT id FROM public.t;
