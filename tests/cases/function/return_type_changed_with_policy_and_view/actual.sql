CREATE FUNCTION public.limit_of(p_name text) RETURNS int LANGUAGE sql STABLE AS $$SELECT 3$$;
CREATE TABLE public.accounts (name text, amount int);
ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY small ON public.accounts USING (amount < public.limit_of(name));
CREATE VIEW public.limits AS SELECT name, public.limit_of(name)::bigint AS most FROM public.accounts;
CREATE VIEW public.top_limits AS SELECT * FROM public.limits WHERE most > 1;
COMMENT ON VIEW public.top_limits IS 'the highest';
GRANT SELECT ON public.top_limits TO PUBLIC;
