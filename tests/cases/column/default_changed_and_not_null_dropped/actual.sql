CREATE TABLE public.t (id int NOT NULL DEFAULT 3, n int NOT NULL);
