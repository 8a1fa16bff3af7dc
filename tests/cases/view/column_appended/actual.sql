CREATE TABLE public.t (a int, b text, c text);
CREATE VIEW public.v WITH (security_barrier = true) AS SELECT a FROM public.t;
COMMENT ON VIEW public.v IS 'a view';
GRANT SELECT ON public.v TO PUBLIC;
