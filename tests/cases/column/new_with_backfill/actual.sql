CREATE TABLE public.people (id int PRIMARY KEY, first text, last text);
INSERT INTO public.people SELECT n, 'a' || n, 'b' FROM generate_series(1, 100) AS n;
