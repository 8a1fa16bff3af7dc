CREATE TABLE public.t (a int CONSTRAINT x NOT NULL, b int, CONSTRAINT y CHECK (b > 0));
