CREATE TABLE public.cell (id int PRIMARY KEY, status text NOT NULL, level text);
INSERT INTO public.cell SELECT g, CASE WHEN g % 2 = 0 THEN 'Open' ELSE 'closed' END, 'low' FROM generate_series(1, 200) AS g;
CREATE TYPE public.grade AS ENUM ('low', 'high');
