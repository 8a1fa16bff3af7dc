CREATE TABLE public.parent (id int NOT NULL, code text);
CREATE TABLE public.child (id int NOT NULL, parent_id int);
INSERT INTO public.parent SELECT n, n FROM generate_series(1, 10) AS n;
INSERT INTO public.child SELECT n, n FROM generate_series(1, 10) AS n;
