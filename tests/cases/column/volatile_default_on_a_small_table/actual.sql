CREATE TABLE public.t (n int);
INSERT INTO public.t VALUES (1), (2);
ANALYZE public.t;
