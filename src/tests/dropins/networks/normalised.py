import torch

from networks.layers import Layer,Plain

class Net(Plain):
    """ Batch normalisation after the one layer, as somebody adds it """
    def __init__(self,inputsize,taskcla,nhid=20):
        super(Net,self).__init__([Layer('fc1',nhid,0.)],inputsize,taskcla)
        self.norm=torch.nn.BatchNorm1d(nhid)

    def hidden(self,x):
        return self.norm(super(Net,self).hidden(x))
