CREATE TABLE public.base (id int PRIMARY KEY, n int);
CREATE VIEW public.v AS SELECT id FROM public.base;
