CREATE TABLE public.days (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE public.days_1 PARTITION OF public.days FOR VALUES FROM (0) TO (10);
CREATE TABLE public.elder (x int);
CREATE TABLE public.heir () INHERITS (public.elder);
INSERT INTO public.days VALUES (1, 1);
