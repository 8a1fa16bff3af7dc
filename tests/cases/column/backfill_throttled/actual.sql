CREATE TABLE public.people (id int PRIMARY KEY, name text, n int);
INSERT INTO public.people SELECT n, 'a' || n FROM generate_series(1, 100) AS n;
