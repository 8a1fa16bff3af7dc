CREATE TABLE public.c (id int PRIMARY KEY, m int NOT NULL);
GRANT SELECT ON public.c TO pg_monitor;
GRANT SELECT (m) ON public.c TO pg_monitor;
