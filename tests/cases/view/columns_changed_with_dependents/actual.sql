CREATE TABLE public.t (a int, b text, c text);
CREATE VIEW public.v AS SELECT a, b FROM public.t;
CREATE VIEW public.w AS SELECT a FROM public.v;
CREATE VIEW public.x WITH (security_invoker = true) AS SELECT * FROM public.w;
GRANT SELECT ON public.v, public.x TO PUBLIC;
COMMENT ON VIEW public.x IS 'on top';
