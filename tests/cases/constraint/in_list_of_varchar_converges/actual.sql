CREATE TABLE public.t (status varchar(10), CONSTRAINT known CHECK (status IN ('a', 'b')));
