CREATE TABLE public.t (a int, b int);
ALTER TABLE public.t OWNER TO pg_monitor;
GRANT SELECT (a) ON public.t TO pg_read_all_settings;
GRANT UPDATE (b) ON public.t TO PUBLIC;
