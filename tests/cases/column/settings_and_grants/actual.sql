CREATE TABLE public.t (a text, b text, c text);
ALTER TABLE public.t ALTER b SET STATISTICS 500, ALTER b SET (n_distinct = 5);
GRANT SELECT ON public.t TO pg_monitor;
GRANT SELECT (c) ON public.t TO pg_monitor;
