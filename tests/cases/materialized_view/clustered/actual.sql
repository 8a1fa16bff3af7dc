CREATE TABLE public.t (a integer, b integer);
CREATE MATERIALIZED VIEW public.m AS SELECT a, b FROM public.t;
CREATE INDEX m_a ON public.m (a);
ALTER MATERIALIZED VIEW public.m CLUSTER ON m_a;
